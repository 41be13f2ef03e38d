FROM alpine
ADD a b
ADD https://x.org/a.tar.gz /b/
ADD --checksum=sha256:1 https://x.org/a /b
ADD --chown=a:b --chmod=0755 --link --keep-git-dir=true --unpack=false --exclude=x git@github.com:a/b.git#main /c
ADD ["a b", "/c d/"]
ADD --unpack --keep-git-dir a b
ADD <<EOF /x
y
EOF
