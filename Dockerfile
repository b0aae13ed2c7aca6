# nlpkit from this checkout, without a GPU:
#     docker build -t nlpkit .
#     docker run --rm nlpkit nlpkit predict "What a lovely day"
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# PyTorch first: a change of the code alone does not fetch it again. Its index of CPU builds saves some gigabytes
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt ./
RUN python -m venv /opt/nlpkit \
    && version=$(sed -n 's/^torch==//p' constraints.txt) \
    && /opt/nlpkit/bin/pip install "torch==${version}" --index-url "${TORCH_INDEX}"
COPY pyproject.toml README.md LICENSE ./
COPY nlpkit nlpkit
COPY recipes recipes
COPY demo demo
# Such as EXTRAS=[onnx]
ARG EXTRAS=""
RUN /opt/nlpkit/bin/pip install -c constraints.txt ".${EXTRAS}"

FROM python:3.12-slim
COPY --from=build /opt/nlpkit /opt/nlpkit
RUN useradd --create-home --uid 1000 nlpkit && install -d -o nlpkit /work /cache
ENV PATH=/opt/nlpkit/bin:$PATH NLPKIT_CACHE=/cache NLPKIT_STORE=/work/chat.sqlite
USER 1000
WORKDIR /work
VOLUME ["/work", "/cache"]
EXPOSE 7860 8000
CMD ["nlpkit"]
