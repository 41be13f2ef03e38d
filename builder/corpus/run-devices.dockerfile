FROM alpine
RUN --device=vendor.com/a=b --device=name=vendor.com/c,required --device=vendor.com/d,required=false --device=required x
