"""The features of the benchmark: those of `GRAPH` in `benches/features.rs`, and of `features.toml` here."""

import metaxy

__metaxy_project__ = "bench"


class Root(
    metaxy.BaseFeature, spec=metaxy.FeatureSpec(key="bench/root", id_columns=["id"], fields=["audio", "frames"])
):
    id: str


class Child(
    metaxy.BaseFeature,
    spec=metaxy.FeatureSpec(
        key="bench/child",
        id_columns=["id"],
        deps=[metaxy.FeatureDep(feature=Root)],
        fields=[metaxy.FieldSpec(key="audio", code_version="2"), "embedding"],
    ),
):
    id: str
