"""How well changes are found: figures over pairs whose truth is known, and a report of them."""
