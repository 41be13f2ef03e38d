//! The Dockerfiles that both build.

pub(crate) const DOCKERFILES: &[(&str, &str)] = &[
    ("run", "FROM base\nRUN echo one > /one\nRUN [\"/bin/sh\", \"-c\", \"echo two > /two\"]\n"),
    ("run-nothing", "FROM base\nRUN true\nRUN true\nLABEL a=b\n"),
    (
        "run-heredoc",
        "FROM base\nARG X=1\nRUN <<EOF\necho $X > /a\nmkdir -p /b/c\nEOF\nRUN <<P\n#!/bin/sh\necho p > /p\nP\n",
    ),
    (
        "removals",
        "FROM base\nRUN rm /opt/old/file && rm -r /opt/old/inner\nRUN rm -r /opt/old && mkdir /opt/old && echo n > /opt/old/n\n",
    ),
    (
        "file-becomes-folder",
        "FROM base\nRUN rm /opt/old/file && mkdir /opt/old/file && touch /opt/old/file/x\n",
    ),
    ("folder-becomes-link", "FROM base\nRUN mv /opt/old /opt/new && ln -s new /opt/old\n"),
    (
        "modes",
        "FROM base\nRUN touch /a && chmod 4711 /a && chown 7:8 /a && mkdir -m 1777 /d && ln /a /h && ln -s /a /s\n",
    ),
    ("only-a-mode", "FROM base\nRUN chmod 600 /opt/old/file && chown 3 /opt/old\n"),
    ("touched-and-opened", "FROM base\nRUN touch /opt/old/file; sh -c ': >> /opt/old/inner/file'\n"),
    ("workdir", "FROM base\nWORKDIR /w/x\nWORKDIR y\nUSER app\nWORKDIR z\nRUN pwd > /tmp/p; id > /tmp/i\n"),
    ("workdir-there", "FROM base\nWORKDIR /opt/old\nWORKDIR /\n"),
    ("env", "FROM base\nENV A=1 B=$INHERITED\nENV A=2 C=$A\nRUN env | grep -E '^(A|B|C)=' > /e\n"),
    ("arg", "ARG G=g\nFROM base\nARG G\nARG N=n\nARG U\nRUN echo $G $N $U > /a\nLABEL g=$G\n"),
    (
        "users",
        "FROM base\nUSER app\nRUN id -u > /tmp/u; id -g >> /tmp/u\nUSER 5:6\nRUN id -u > /tmp/v; id -g >> /tmp/v; touch /tmp/w\n",
    ),
    (
        "metadata",
        "FROM base\nMAINTAINER me\nEXPOSE 80 90/udp\nVOLUME /v\nSTOPSIGNAL INT\nHEALTHCHECK --interval=3s CMD x\nCMD a\nENTRYPOINT [\"b\"]\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN true\nONBUILD RUN x\n",
    ),
    (
        "copy",
        "FROM scratch\nCOPY a.txt /one\nCOPY a.txt b.txt /two/\nCOPY sub /three\nCOPY *.txt /four/\nCOPY . /all\n",
    ),
    (
        "copy-relative",
        "FROM base\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt ./b\nCOPY sub ./\nCOPY sub c/d\nCOPY ./sub/../a.txt e/\n",
    ),
    ("copy-links", "FROM scratch\nCOPY links /links\nCOPY links/to-a /followed\nCOPY links/to-sub /folder\n"),
    ("copy-over", "FROM base\nCOPY a.txt /opt/old/file\nCOPY sub /opt/old\nCOPY a.txt /opt/old/inner\n"),
    (
        "copy-through-a-link",
        "FROM base\nRUN ln -s old /opt/way && ln -s /opt/old/file /opt/link\nCOPY sub /opt/way/\nCOPY a.txt /opt/link\n",
    ),
    (
        "copy-owners",
        "FROM base\nCOPY --chown=app a.txt /a\nCOPY --chown=app:staff sub /n/m/\nCOPY --chown=9 a.txt /9\nCOPY --chown=:staff a.txt /g\n",
    ),
    (
        "copy-modes",
        "FROM base\nCOPY --chmod=751 sub /new/one/\nCOPY --chmod=u=rwX,go=rX sub /two\nCOPY --chmod=+x a.txt /x\nCOPY --chmod=4644 a.txt /s\n",
    ),
    (
        "copy-parents",
        "FROM scratch\nCOPY --parents sub/*/d.txt /p/\nCOPY --parents sub/./deep a.txt /q/\nCOPY --parents **/*.txt /r/\n",
    ),
    (
        "copy-exclude",
        "FROM scratch\nCOPY --exclude=*.txt . /a/\nCOPY --exclude=sub --exclude=**/d* . /b/\nCOPY --exclude=** --exclude=!**/c.txt sub /c/\n",
    ),
    (
        "copy-heredocs",
        "FROM base\nENV A=1\nCOPY <<one <<\"two\" /h/\n$A\none\n$A\ntwo\nCOPY <<-x /y\n\tt\n\tx\nCOPY --chmod=700 --chown=app <<z /z\ny\nz\n",
    ),
    ("copy-link", "FROM base\nCOPY --link a.txt /opt/old/a\nCOPY --link --chown=3:4 sub /sub/\n"),
    (
        "copy-stages",
        "FROM base AS a\nRUN mkdir /o && echo x > /o/f && chown 5:6 /o/f && chmod 750 /o && ln /o/f /o/h && ln -s f /o/l\nFROM scratch\nCOPY --from=a /o /o\nCOPY --from=0 /o/l /l\nCOPY --from=a /o/. /p/\n",
    ),
    ("copy-empty", "FROM scratch\nCOPY empty /e\nCOPY empty/ /f/g/\n"),
    ("copy-no-match", "FROM base\nCOPY a.txt none* /n/\n"),
    (
        "copy-names",
        "FROM scratch\nCOPY [\"with space\", \"/\"]\nCOPY \\[x\\] /brackets\nCOPY [\"ünï\", \"/ünï/\"]\n",
    ),
    ("ignored", "FROM scratch\nCOPY . /\n"),
    (
        "add",
        "FROM base\nADD in.tar /t/\nADD in.tar.gz /opt/\nADD a.txt /\nADD --unpack=false in.tar /\nADD --chown=1:2 in.tar /u\n",
    ),
    (
        "mounts",
        "FROM base AS a\nRUN echo a > /f\nFROM base\nRUN --mount=from=a,source=/f,target=/m/f --mount=type=tmpfs,target=/t --mount=type=cache,target=/c --mount=target=/ctx cat /m/f /ctx/a.txt > /seen; touch /t/x /c/x\n",
    ),
    ("onbuild", "FROM base AS p\nONBUILD RUN echo t > /t\nONBUILD COPY a.txt /t2\nFROM p\nRUN cat /t > /u\n"),
    (
        "stages",
        "FROM base AS a\nENV A=1\nRUN echo a > /a\nFROM a AS b\nRUN echo $A > /b\nFROM b\nCOPY --from=a /a /c\n",
    ),
    ("network", "FROM base\nRUN --network=none ls /sys/class/net > /n\n"),
    (
        "special",
        "FROM base\nRUN mkdir /n && cd /n && touch 'a b' .hidden && ln -s nowhere dangling && mkdir -p x/y/z\n",
    ),
    (
        "env-scopes",
        "FROM base\nENV a=1 b=\"two words\" c='$a' d=\\$a e=x\\ y f=\"q\\\"q\"\nENV old form of it\nENV a=2 was=$a\nENV a=${a}3 none=${nothing} given=${nothing:-g} set=${a:+s} empty=${nothing-}\nLABEL all=\"$a|$b|$c|$d|$e|$f|$old|$was|$none|$given|$set\"\nRUN env | grep -E '^(a|b|c|d|e|f|old|was|none|given|set)=' > /e\n",
    ),
    (
        "expansions",
        "FROM base\nARG P=/usr/local/lib/lib.so.1\nENV P=$P\nLABEL head=${P%/*} tail=${P##*/} cut=${P#/*/} most=${P%%.*} one=${P/l/L} all=${P//l/L}\nLABEL query=${P%?} literal='${P}' escaped=\\${P} both=\"${P}$P\" nested=${none:-${P}}\nWORKDIR ${P%/*}\n",
    ),
    (
        "arg-scopes",
        "ARG V=1\nARG W=${V}2\nFROM base AS one\nARG V\nARG W=own\nARG X=$V$W\nRUN echo $V $W $X > /one\nFROM base AS two\nRUN echo \"<$V>\" > /two\nFROM two\nARG V=three\nCOPY --from=one /one /\nRUN echo $V > /three\n",
    ),
    ("arg-under-env", "FROM base\nARG A=arg\nENV A=env\nARG A=again\nRUN echo $A > /a\nENV B=$A\n"),
    ("arg-several", "FROM base\nARG A=1 B=2 C\nRUN echo $A $B $C > /a\nLABEL l=$A$B$C\n"),
    (
        "arg-platform",
        "FROM base\nARG TARGETPLATFORM\nARG TARGETOS\nARG TARGETARCH TARGETVARIANT BUILDPLATFORM\nRUN echo $TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETVARIANT $BUILDPLATFORM > /p\nLABEL t=$TARGETARCH\n",
    ),
    (
        "arg-in-from",
        "ARG NAME=base\nFROM ${NAME:-none} AS first\nRUN echo x > /x\nFROM first\nCOPY --from=first /x /y\n",
    ),
    (
        "platform-in-from",
        "FROM --platform=$BUILDPLATFORM base AS b\nRUN echo b > /b\nFROM --platform=linux/amd64 base\nCOPY --from=b /b /\n",
    ),
    (
        "heredoc-quoted",
        "FROM base\nENV A=a\nRUN <<'EOF'\nA=b\necho $A > /a\nEOF\nRUN <<-EOF\n\techo \"$A\" > /b\n\tEOF\nRUN cat <<X > /c\n$A\nX\n",
    ),
    ("heredoc-several", "FROM base\nRUN <<ONE cat > /both && sh <<TWO\none\nONE\necho two > /two\nTWO\n"),
    ("heredoc-shebang", "FROM base\nRUN <<EOF\n#!/bin/sh -e\npwd > /folder\nEOF\n"),
    (
        "heredoc-and-shell",
        "FROM base\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN <<EOF\nfalse || true\necho done > /done\nEOF\n",
    ),
    (
        "copy-heredoc-folder",
        "FROM base\nWORKDIR /w\nCOPY <<one.txt <<two.txt a.txt ./\none\none.txt\ntwo\ntwo.txt\nCOPY --chmod=0644 <<EOF rel/name\n  spaces kept \\\\\n$INHERITED\nEOF\n",
    ),
    (
        "shell",
        "FROM base\nSHELL [\"/bin/sh\", \"-x\", \"-c\"]\nRUN echo x > /x\nCMD run it\nENTRYPOINT start it\nHEALTHCHECK CMD ask it\nSHELL [\"/bin/sh\", \"-c\"]\nCMD again\n",
    ),
    ("entrypoint-resets", "FROM base AS a\nCMD [\"x\"]\nFROM a\nENTRYPOINT [\"e\"]\n"),
    ("cmd-then-entrypoint", "FROM base\nCMD [\"x\", \"y z\"]\nENTRYPOINT [\"e\"]\n"),
    ("cmd-empty", "FROM base\nCMD []\nENTRYPOINT []\n"),
    ("cmd-no-json", "FROM base\nCMD [ 'a', 'b' ]\n"),
    ("cmd-twice", "FROM base\nCMD a\nCMD [\"b\"]\nENTRYPOINT c\nENTRYPOINT [\"d\", \"\\\"e\\\"\"]\n"),
    (
        "health-all",
        "FROM base\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2h --start-interval=500ms --retries=7 CMD [\"a\", \"b c\"]\n",
    ),
    ("health-none", "FROM base AS a\nHEALTHCHECK CMD x\nFROM a\nHEALTHCHECK NONE\n"),
    ("health-shell", "FROM base\nHEALTHCHECK --retries=0 \\\n  CMD a | b || exit 1\n"),
    (
        "volumes",
        "FROM base\nVOLUME /a /b\nVOLUME [\"/c d\", \"/a\"]\nARG V=/e\nVOLUME $V\nRUN mkdir -p /a && echo kept > /a/kept\nCOPY a.txt /b/\n",
    ),
    (
        "expose",
        "FROM base\nEXPOSE 80/tcp 53/udp 8000-8003 9000/SCTP\nARG P=81\nEXPOSE $P ${P}0/udp\nEXPOSE 80\n",
    ),
    ("stopsignal", "FROM base\nARG S=TERM\nSTOPSIGNAL SIG$S\n"),
    ("stopsignal-number", "FROM base\nSTOPSIGNAL 9\n"),
    (
        "labels",
        "FROM base\nLABEL \"a b\"=\"c d\" e=f\\ g h='i \"j\"' k=\"l\\\nm\"\nLABEL of=changed n=\"\" o=\"=\" p=q=r\nLABEL old form\nLABEL multi.line=\"a \\\n b\"\n",
    ),
    (
        "users-named",
        "FROM base\nUSER app:staff\nRUN id > /tmp/a\nUSER 1000\nRUN id > /tmp/b; env | grep HOME > /tmp/h\nUSER root\nRUN id > /tmp/c\nUSER 77:staff\nRUN id -u > /tmp/d; id -g >> /tmp/d\nARG U=app\nUSER $U\nRUN touch /tmp/owned\n",
    ),
    (
        "workdir-and-user",
        "FROM base\nUSER app\nWORKDIR /home/app/made/here\nCOPY a.txt .\nWORKDIR ../up\nWORKDIR with\\ space\nWORKDIR /a/./b/../c//d/\nENV D=/from/env\nWORKDIR $D/x\n",
    ),
    ("workdir-through-a-link", "FROM base\nRUN ln -s old /opt/way\nWORKDIR /opt/way/new\n"),
    ("workdir-relative-first", "FROM base\nWORKDIR rel\nRUN pwd > /p\n"),
    ("workdir-on-scratch", "FROM scratch\nWORKDIR /a/b\nCOPY a.txt ./\nUSER 5\nCOPY b.txt ./\n"),
    (
        "copy-chown-numbers",
        "FROM base\nCOPY --chown=0:0 a.txt /a\nCOPY --chown=1000:staff sub /b\nCOPY --chown=app:7 a.txt /new/folder/c\nUSER app\nCOPY a.txt /d\n",
    ),
    (
        "copy-chown-from",
        "FROM base AS s\nRUN mkdir -p /t/u && touch /t/u/f && chown -R 5:6 /t && chmod 2750 /t/u && chmod 4755 /t/u/f\nFROM base\nCOPY --from=s /t /kept\nCOPY --from=s --chown=app:staff /t /changed\nCOPY --from=s --chown=7 --chmod=640 /t/u/f /both\n",
    ),
    (
        "copy-chmod-symbols",
        "FROM base\nCOPY --chmod=a=r,u+w a.txt /a\nCOPY --chmod=u=rwx,g=rx,o= sub /b\nCOPY --chmod=go-rwx b.txt /c\nCOPY --chmod=ug+s,o-r b.txt /d\n",
    ),
    (
        "copy-parents-more",
        "FROM base\nWORKDIR /w\nCOPY --parents ./sub/deep/d.txt ./\nCOPY --parents sub/c.txt a.txt /abs/\nCOPY --parents --chown=3:4 --chmod=700 sub/deep /owned/\nCOPY --parents --exclude=**/d.txt sub /less/\n",
    ),
    (
        "copy-parents-from",
        "FROM base AS s\nRUN mkdir -p /x/y/z && echo 1 > /x/y/one && echo 2 > /x/y/z/two && chown -R 8:9 /x/y && chmod 700 /x/y\nFROM scratch\nCOPY --from=s --parents /x/y/z/two /a/\nCOPY --from=s --parents /x/./y /b/\nCOPY --from=s --parents /x/*/one /c/\n",
    ),
    (
        "copy-exclude-more",
        "FROM base\nCOPY --exclude=deep sub /a/\nCOPY --exclude=sub/deep . /b/\nCOPY --exclude=*/c.txt --exclude=[ab].txt . /c/\nCOPY --exclude=?.txt *.txt sub /d/\nADD --exclude=links --exclude=in.* . /e/\n",
    ),
    (
        "copy-from-exclude",
        "FROM base AS s\nRUN mkdir -p /s/t && touch /s/a.log /s/b.txt /s/t/c.log\nFROM scratch\nCOPY --from=s --exclude=*.log /s /one\nCOPY --from=s --exclude=**/*.log /s /two\nCOPY --from=s --exclude=t /s /three/\n",
    ),
    (
        "copy-wildcards",
        "FROM scratch\nCOPY ?.txt /a/\nCOPY [a].txt /b/\nCOPY sub/*/*.txt /d/\nCOPY s*b /e/\nCOPY su? /f\nCOPY sub/* /g/\n",
    ),
    (
        "copy-dots",
        "FROM base\nWORKDIR /w\nCOPY ./ ./one/\nCOPY sub/. two\nCOPY sub/../sub/c.txt three/../four\nCOPY ../../a.txt five\nCOPY /a.txt /sub/deep/../c.txt six/\n",
    ),
    (
        "copy-over-links",
        "FROM base\nRUN mkdir /d /e && ln -s ../d /e/l && ln -s d /dl && ln -s a /one-more && touch /a\nCOPY sub /dl\nCOPY sub /e/\nCOPY a.txt /one-more\nCOPY links /d/\nCOPY b.txt /d/to-a\n",
    ),
    (
        "copy-hard-links",
        "FROM base AS s\nRUN mkdir -p /s/t && echo x > /s/a && ln /s/a /s/t/b && ln /s/a /s/z\nFROM base\nCOPY --from=s /s /all\nCOPY --from=s /s/a /s/z /two/\nRUN ln /all/a /all/more && echo y >> /all/z\n",
    ),
    (
        "copy-link-more",
        "FROM base\nWORKDIR /w\nCOPY --link a.txt .\nCOPY --link sub /opt/old/\nCOPY --link --chmod=700 --chown=5 sub/c.txt /new/dir/\n",
    ),
    (
        "add-compressions",
        "FROM base\nADD in.tar.zst /zst/\nADD in.tar.xz /xz/\nADD in.tar.bz2 /bz2/\nADD in.tar.gz in.tar /both/\nADD --chmod=600 a.txt /mode/\n",
    ),
    (
        "add-no-archive",
        "FROM base\nADD fake.tar.gz /\nADD sub /sub\nADD *.txt /t/\nADD fake.tar.gz /kept/name\n",
    ),
    (
        "add-tar-over",
        "FROM base\nRUN mkdir -p /opt/d && echo keep > /opt/d/keep && chmod 777 /opt/d\nADD in.tar /opt\nADD --chown=app:staff in.tar.gz /u/\n",
    ),
    (
        "whiteouts",
        "FROM base\nRUN mkdir /a && touch /a/1 /a/2 && mkdir -p /b/c/d && touch /b/c/d/e\nRUN rm /a/1 && rm -r /b/c && touch /b/c\nRUN rm -r /a /b && mkdir -p /a/1 && ln -s a /b\nRUN rm -r /opt/old && mkdir -p /opt/old/inner && touch /opt/old/inner/other\nRUN rm /bin/find && ln -s busybox /bin/find\n",
    ),
    (
        "opaque-more",
        "FROM base\nRUN mkdir -p /d/e/f && touch /d/1 /d/e/2 /d/e/f/3\nRUN mv /d/e /d/g && mkdir /d/e && touch /d/e/4\nRUN rm -rf /d && mkdir /d\nCOPY sub /d/\nRUN rm -r /d/deep\n",
    ),
    (
        "hard-links-across",
        "FROM base\nRUN touch /a && ln /a /b && chmod 600 /a\nRUN ln /a /c && chown 4:5 /c\nRUN rm /a && ln /opt/old/file /opt/f\n",
    ),
    (
        "special-files",
        "FROM base\nRUN busybox mkfifo -m 640 /pipe && ln -s pipe /to-pipe && touch /s && chmod 6755 /s && mkdir -m 3775 /d\nRUN busybox mknod /null c 1 3 && chown 3:4 /null\nRUN ln -s / /root-link; ln -s .. /opt/up; touch /opt/-dash\n",
    ),
    (
        "long-names",
        "FROM base\nRUN n=0123456789012345678901234567890123456789012345678901234567890123456789; mkdir -p /$n$n/$n$n && cd /$n$n/$n$n && touch $n$n$n && ln -s $n$n$n $n && ln $n$n$n hard\n",
    ),
    (
        "big-owners",
        "FROM base\nRUN touch /a && chown 3000000:4000000 /a\nCOPY --chown=2097152:2097153 a.txt /b\n",
    ),
    (
        "run-mounts",
        "FROM base AS s\nRUN mkdir /s && echo s > /s/f\nFROM base\nWORKDIR /w\nRUN --mount=target=sub/rel,source=sub ls sub/rel > /l\nRUN --mount=type=bind,from=s,source=/s,target=/m,rw echo n > /m/n; ls /m > /m1\nRUN --mount=from=s,source=s,target=/opt/old ls /opt/old > /m2\nRUN --mount=type=cache,target=/var/cache/x,mode=0700,uid=5,gid=6 stat -c '%a %u %g' /var/cache/x > /m3\nRUN --mount=type=tmpfs,target=/opt/old/inner touch /opt/old/inner/gone /opt/old/stays\nARG T=/by/arg\nRUN --mount=type=tmpfs,target=$T ls -d $T > /m4\n",
    ),
    (
        "run-forms",
        "FROM base\nRUN [\"sh\", \"-c\", \"echo $INHERITED > /a\"]\nRUN [ \"echo\", \"spaces\" ]\nRUN echo a \\\n    # a comment\n    && echo b > /b \\\n\n    && echo c > /c\n",
    ),
    (
        "escape",
        "# escape=`\nFROM base\nRUN echo a `\n  b > /a\nLABEL p=C:\\new x=`\"y\nENV E=`$INHERITED F=\\$INHERITED\n",
    ),
    (
        "directives",
        "# escape=\\\n\n# a comment\nfrom base as LOWER\nrun echo x > /x\nFrom lower\nlabel A=b\n",
    ),
    ("windows-lines", "FROM base\r\nRUN echo a && \\\r\n  echo b > /b\r\nLABEL x=y \\\r\n  z=w\r\n"),
    ("byte-order-mark", "\u{feff}FROM base\nLABEL a=b\n"),
    (
        "onbuild-more",
        "FROM base AS p\nONBUILD ARG X=1\nONBUILD ENV Y=$X\nONBUILD WORKDIR /made\nONBUILD ADD in.tar ./\nONBUILD USER app\nONBUILD LABEL from=$Y\nFROM p AS q\nRUN pwd > /tmp/p; id -u >> /tmp/p; echo $Y >> /tmp/p\nFROM q\nLABEL last=yes\n",
    ),
    (
        "stages-unused",
        "FROM base AS never\nRUN false\nFROM base AS a\nRUN echo a > /a\nFROM scratch AS b\nCOPY --from=a /a /\nFROM b\nCOPY --from=b /a /b\nCOPY --from=1 /a /c\n",
    ),
    (
        "stages-inherit",
        "FROM base AS a\nENV A=1\nARG B=2\nWORKDIR /w\nUSER app\nLABEL l=a\nEXPOSE 1\nVOLUME /v\nCMD [\"c\"]\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nFROM a\nRUN echo \"$A $B\" > /tmp/x; pwd >> /tmp/x\nLABEL l=b m=$B\nEXPOSE 2\n",
    ),
    (
        "from-image",
        "FROM scratch\nCOPY --from=base /opt/old /x\nCOPY --from=base /etc/passwd /opt/old/file /y/\n",
    ),
    ("only-metadata", "FROM base\nLABEL a=b\nENV A=1\nCMD [\"x\"]\n"),
    ("scratch-env", "FROM scratch\nENV A=1 PATH=/x:$PATH\nCOPY a.txt /\n"),
    ("maintainer", "FROM base\nMAINTAINER Some One <one@example.com>\nMAINTAINER \"Two\"\n"),
    (
        "same-again",
        "FROM base\nCOPY a.txt /a\nCOPY a.txt /a\nRUN touch -d @0 /t\nRUN chmod 755 /opt && chown 0 /opt\n",
    ),
    ("run-in-tmp", "FROM base\nRUN mkdir -p /run /var /mnt && touch /run/x /tmp/z; ls -a / > /l\n"),
    ("etc-files", "FROM base\nRUN test -s /etc/resolv.conf; test -s /etc/hosts\nCOPY a.txt /etc/hosts\n"),
    (
        "copy-attributes",
        "FROM base\nCOPY capable /a\nCOPY --chown=app capable /b\nCOPY . /c/\nRUN chmod 711 /a\n",
    ),
    ("copy-sticky-folder", "FROM base\nCOPY --chmod=1777 sub /e/\nCOPY --chmod=2751 sub /new/f/\n"),
];
