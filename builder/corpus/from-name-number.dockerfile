FROM a as 1b
