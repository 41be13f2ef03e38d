FROM triggers
ENV X=late
RUN own
