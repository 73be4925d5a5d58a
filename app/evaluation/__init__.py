"""The field's benchmark for any model and setting: sets of four in many styles, measured, with baselines and a report.

    prompts.py    which sets                      settings.py   how they are made: baselines and options
    making.py     made, one file a finished set   measuring.py  measured, by embedders that are always named
    tables.py     means with bootstrap intervals  plot.py, report.py  shown, next to published figures (published.py)

Source of the protocol: Hertz et al., "Style Aligned Image Generation via Shared Attention", CVPR 2024, section 5.
"""
