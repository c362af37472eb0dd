#!/bin/bash -eu
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite call it: with CC, CXX, CFLAGS, CXXFLAGS and LIB_FUZZING_ENGINE, from
# $SRC/acairo, in $WORK, into $OUT. ci/oss-fuzz-check does the same here. ACAIRO_FUZZ_TARGETS: a program that is built already.

program=${ACAIRO_FUZZ_TARGETS-}
if [[ -z $program ]]; then
    # The archive: where the targets run, there is no libboost_context.so.
    context=$(find /usr/lib -name libboost_context.a -print -quit)
    cmake -S "$SRC/acairo" -B "$WORK/acairo" -G Ninja -DCMAKE_BUILD_TYPE= -DACAIRO_TESTS=ON -DACAIRO_EXAMPLES=OFF \
        -DACAIRO_PLANTED=OFF -DACAIRO_REAL=OFF -DACAIRO_FUZZER=ON -DACAIRO_ONLY_FUZZED=ON \
        -DACAIRO_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" \
        ${context:+-DACAIRO_BOOST_CONTEXT="$context"}
    cmake --build "$WORK/acairo" --target fuzz_targets
    program=$WORK/acairo/fuzz/fuzz_targets
fi

# One program, which is the target that it is called by the name of.
first=
for source in "$SRC"/acairo/fuzz/*.cpp; do
    name=$(basename "$source" .cpp)
    if [[ -z $first ]]; then
        cp -f "$program" "$OUT/$name"
        first=$OUT/$name
    else
        ln -f "$first" "$OUT/$name"
    fi
    cp "$SRC/acairo/fuzz/oss-fuzz/choices.dict" "$OUT/$name.dict"
    cp "$SRC/acairo/fuzz/oss-fuzz/target.options" "$OUT/$name.options"
    seeds=$WORK/seeds/$name
    rm -rf "$seeds" "${OUT:?}/${name}_seed_corpus.zip"
    mkdir -p "$seeds"
    for directory in corpus regressions; do
        [[ ! -d $SRC/acairo/fuzz/$directory/$name ]] || cp "$SRC/acairo/fuzz/$directory/$name"/* "$seeds"
    done
    (cd "$seeds" && cmake -E tar cf "$OUT/${name}_seed_corpus.zip" --format=zip -- *)
done
