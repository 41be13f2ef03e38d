FROM alpine
﻿RUN a
