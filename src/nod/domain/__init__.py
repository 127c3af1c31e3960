"""The rules of Nod: pure values and functions, no I/O, no clock, nothing imported from above."""
