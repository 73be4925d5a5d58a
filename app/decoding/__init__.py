"""Decode untrusted bytes in separate processes, with limits on memory, time and number.

    pool.py     the server's side: the queue for workers, and the checks on their answers
    worker.py   a warm process that forks a child for each job, so that uploads cannot affect each other
    sandbox.py  what a worker and its children give up before they see the first byte
    jobs.py     what a child can be asked to do; clean.py does it with uploads, webp.py and frames.py read headers

Nothing that a child imports may import torch or the database: a worker is ready in half a second.
"""
