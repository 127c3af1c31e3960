"""The peers. Each module runs in a process of its own, so that none disturbs another."""
