"""Drafts of forms: saved while somebody types, shown again in the form, gone once it is sent or a week old."""
