"""The guided variants: a small result, a learned guided filter, and a brightness that is asked for."""
