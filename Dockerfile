# SPDX-License-Identifier: MIT
# The image of the workers: the program over Debian, with a libpq that leaves Kerberos and LDAP out. It runs without
# privileges and writes nothing.
#     docker build -t event-matcher-fcgi .
ARG DEBIAN=debian:bookworm-slim

FROM ${DEBIAN} AS runtime
RUN apt-get update && \
	apt-get install -y --no-install-recommends libseccomp2 libsodium23 libssl3 libuuid1 libuv1 libyajl2 && \
	rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/*

FROM ${DEBIAN} AS tools
RUN apt-get update && apt-get install -y --no-install-recommends autoconf automake gcc libc6-dev libfcgi-dev libpq-dev \
	libseccomp-dev libsodium-dev libssl-dev libuv1-dev libyajl-dev make pkg-config uuid-dev
COPY scripts/libpq /source/scripts/
RUN /source/scripts/libpq /libpq.a

FROM tools AS build
COPY . /source
WORKDIR /build
RUN (cd /source && autoreconf -i) && \
	/source/configure LIBPQ_CFLAGS="$(pkg-config --cflags libpq)" LIBPQ_LIBS="/libpq.a -lssl -lcrypto -lm" && \
	make -j "$(nproc)" event-matcher-fcgi && strip event-matcher-fcgi

FROM runtime
COPY --from=build /build/event-matcher-fcgi /usr/local/sbin/
LABEL org.opencontainers.image.title="event-matcher-fcgi" org.opencontainers.image.licenses="MIT"
ENV EVENT_MATCHER_LISTEN=:9000
EXPOSE 9000
USER 65534:65534
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["event-matcher-fcgi", "--ready"]
ENTRYPOINT ["/usr/local/sbin/event-matcher-fcgi"]
