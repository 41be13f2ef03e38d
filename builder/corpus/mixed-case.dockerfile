From alpine aS base
rUn a
ONBUILD run b
onbuild Copy a b
