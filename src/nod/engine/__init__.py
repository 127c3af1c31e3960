"""The life of a run, in the order in which it happens.

fire.py and trigger.py make it, outbox.py puts it on its way, deliver.py brings it to the agent,
settle.py and ending.py take what comes back, rescue.py and sweep.py look after what does not.
"""
