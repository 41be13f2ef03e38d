# a
 # b
