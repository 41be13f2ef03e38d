from alpine as Base
run a
Copy --From=b . .
