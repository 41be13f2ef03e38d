FROM alpine
ENV a=1 b="2 3" c='4 5' d=6\ 7
ENV e 8 9  10
ENV f=
ENV g=""
ENV h=$a i=${b} "j"=k
ENV l="m\"n" o='p"q' r=s=t
