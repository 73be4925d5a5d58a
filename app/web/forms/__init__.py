"""Forms of pages: one class per form, one module per noun. `form.py` reads them."""
