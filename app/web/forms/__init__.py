"""What pages send: one class a form, one module a noun. `form.py` says how a form is read."""
