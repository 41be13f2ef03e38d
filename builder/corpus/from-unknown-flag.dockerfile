FROM --plattform=x a
