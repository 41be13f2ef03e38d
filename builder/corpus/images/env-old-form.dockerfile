FROM alpine
ENV A one  two "three"
ENV B $A\ x
