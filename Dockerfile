# The daemon with Manim and LaTeX, run by an ordinary user.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends \
        python3-venv python3-dev gcc libc6-dev pkg-config libcairo2-dev libpango1.0-dev
WORKDIR /build
COPY constraints constraints
RUN python3 -m venv tools \
    && tools/bin/pip install -qq --require-hashes -r constraints/build.txt \
    && PATH="$PWD/tools/bin:$PATH" tools/bin/pip wheel -qq --no-build-isolation \
        --wheel-dir wheels --require-hashes -r constraints/render.txt
COPY pyproject.toml README.md LICENSE ./
COPY manim_kernel_ext manim_kernel_ext
COPY daemon daemon
RUN tools/bin/pip wheel -qq --no-build-isolation --no-deps --wheel-dir wheels . \
    && python3 -m venv /opt/manim-kernel \
    && /opt/manim-kernel/bin/pip install -qq --no-index --no-deps wheels/*.whl

FROM ${BASE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends \
        python3 libcairo2 libpango-1.0-0 libpangocairo-1.0-0 libegl1 libgl1 \
        texlive-latex-extra texlive-fonts-recommended texlive-science cm-super-minimal dvisvgm \
        fontconfig fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 manim
COPY --from=build /opt/manim-kernel /opt/manim-kernel
ENV PATH="/opt/manim-kernel/bin:$PATH"
USER manim
WORKDIR /home/manim
ENTRYPOINT ["manim-kernel"]
CMD ["daemon", "run"]
