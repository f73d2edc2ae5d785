"""Tables, pages, progress and kept results: what every report is made of."""
