"""Commands and presses: who asked, what happens, how it is answered."""
