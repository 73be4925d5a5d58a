"""Where bytes of strangers are decoded: in processes apart, with bounds on memory, time and number.

    pool.py     the server's side: who waits, who is next, what is believed of an answer
    worker.py   a warm process that forks a child for each job, so that no upload meets what another left behind
    sandbox.py  what a worker and its children give up before they see the first byte
    jobs.py     what a child is asked to do; clean.py does it with uploads, webp.py and frames.py read headers

Nothing that a child imports may import torch or the database: a worker is ready in half a second.
"""
