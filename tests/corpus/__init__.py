"""The corpora, and the doors through which they judge the product."""
