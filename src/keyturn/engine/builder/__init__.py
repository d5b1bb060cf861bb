"""The connector builder: edits of a draft's text, previews, trial runs, and the review before publishing."""
