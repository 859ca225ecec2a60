"""Reading llama.cpp's options from its source, and facts that were read there by eye."""

from __future__ import annotations

import pytest

from chartgen.engines.table import (
    engine_table,
    table_releases,
)
from tests.table_spans import env_history, history, name_history
from tools.engine_tables.cpp_tokens import parts, source_of, strings, tokens
from tools.engine_tables.llamacpp import declarations, successors
from tools.engine_tables.llamacpp_handlers import Tables, option
from tools.engine_tables.llamacpp_sources import BUILDS

SOURCE = r"""
static std::initializer_list<enum llama_example> seeing = {
    LLAMA_EXAMPLE_SERVER, LLAMA_EXAMPLE_CLI };
common_params_context init(common_params & params, llama_example ex) {
    add_opt(common_arg(
        // a comment with "--quotes" in it
        {"-c", "--ctx-size"}, "N",
        string_format("size (default: %d, "
            "0 = model)", params.n_ctx),
        [](common_params & params, int value) { if (value < 1 || value > 64) { throw 1; } }
    ).set_env("LLAMA_ARG_CTX_SIZE"));
    add_opt(common_arg({"--see"}, {"-nosee", "--no-see"}, R"(raw "text", with a comma)",
        [](common_params & params, bool value) { params.see = value; }
    ).set_examples(seeing).set_env("LLAMA_ARG_SEE"));
    add_opt(common_arg({"--quiet"}, "be quiet", [](common_params &) { quiet(); }));
    add_opt(common_arg({"--only-cli"}, "not ours", [](common_params &) { }
    ).set_examples({LLAMA_EXAMPLE_CLI}));
    add_opt(common_arg({"--file"}, "F", "not ours", [](common_params & p, const std::string & v) { }
    ).set_excludes({LLAMA_EXAMPLE_SERVER}));
    if (ex == LLAMA_EXAMPLE_SERVER) {
        add_opt(common_arg({"-np"}, "N", "slots", [](common_params & params, int value) {
            if (value == 0) { throw 1; } }));
    } else {
        add_opt(common_arg({"-np"}, "N", "sequences", [](common_params & params, int value) { }));
    }
    add_opt(common_arg({"--range"}, "A", "B", "from to",
        [](common_params & params, const std::string & a, const std::string & b) {
            use(std::stoi(a), std::stoi(b)); }));
    add_opt(common_arg({"--mode"}, "M", "mode",
        [](common_params & params, const std::string & value) {
        if (value == "fast") { a(); } else if (is_autoy(value)) { b(); } else { throw 1; } }));
    add_opt(common_arg({"--layers"}, "N", "n",
        [](common_params & params, const std::string & value) {
        if (value == "all") { a(); } else { b(std::stoi(value)); } }));
    add_opt(common_arg({"--old"}, "N", "the argument has been removed. use --new or --newer",
        [](common_params & /*params*/, int /*value*/) { arg_removed("use --new or --newer"); }));
    add_opt(common_arg({"--heat"}, "N", "t", [](common_params & params, const std::string & value) {
        const float heat = std::stof(value);
        if (!std::isfinite(heat) || heat <= 0.0f) { throw 1; } }));
    add_opt(common_arg({"--add"}, "X", "x", [](common_params & params, const std::string & value) {
        params.all.push_back(value); }));
}
"""


def read() -> dict[str, dict[str, object]]:
    return dict(option(found, Tables()) for found in declarations(tokens(SOURCE)))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "ctx-size",
            {
                "spellings": ["-c", "--ctx-size"],
                "value": "int",
                "limits": {"minimum": 1, "maximum": 64},
                "env": "LLAMA_ARG_CTX_SIZE",
            },
        ),
        ("see", {"negations": ["-nosee", "--no-see"], "value": "switch", "env": "LLAMA_ARG_SEE"}),
        ("quiet", {"value": "none"}),
        ("np", {"spellings": ["-np"], "value": "int", "limits": {"not": {"const": 0}}}),
        ("range", {"value": "int", "least": 2, "most": 2}),
        ("mode", {"choices": ["auto", "fast", "-1"]}),
        ("layers", {"value": "int-or-word", "choices": ["all"]}),
        ("old", {"value": "int", "state": "removed", "replaced_by": "--new or --newer"}),
        (
            "heat",
            {"value": "float", "limits": {"exclusiveMinimum": 0, "maximum": 3.4028234663852886e38}},
        ),
        ("add", {"appends": True}),
    ],
)
def test_a_declaration_is_read(name: str, fields: dict[str, object]) -> None:
    assert read()[name] == fields


def test_options_of_other_programs_are_left_out() -> None:
    assert {"only-cli", "file"} & set(read()) == set()


def test_tokens_know_comments_strings_and_raw_strings() -> None:
    found = tokens('f("a\\n" /* no */ "b", // no "c"\n R"x(d)" e)x", {g, (h, i)})')
    assert strings(found) == 'a\nbd)" e'
    inner = found[2:-1]
    assert [source_of(part) for part in parts(inner)] == [
        '"a\n" "b"',
        '"d)" e"',
        "{ g , ( h , i ) }",
    ]


def test_successors_hold_only_where_the_old_name_is_gone() -> None:
    old = {"options": {"mlock": {"env": "A"}}, "names": {"spec-type": ["none"]}, "env": ["A"]}
    new = {
        "options": {"load-mode": {}},
        "names": {"spec-type": ["none", "draft-mtp"]},
        "env": [],
    }
    found = successors({"1": old, "2": new})
    assert found["option"]["1"] == {}
    assert found["option"]["2"]["--mlock"] == "--load-mode mlock"
    assert found["spec-type"] == {"1": {}, "2": {"mtp": "draft-mtp", "nextn": "draft-mtp"}}


def test_the_table_has_the_builds_that_are_fetched() -> None:
    assert table_releases("llamacpp") == tuple(str(build) for build in BUILDS)


# Read in common/arg.cpp of the builds named, and in the commits between them.
@pytest.mark.parametrize(
    ("spelling", "first", "last"),
    [
        ("--mlock", "8000", "10816"),
        ("--no-mmap", "8000", "10816"),
        ("--load-mode", "10142", "11434"),
        ("--spec-draft-n-max", "8993", "11434"),
        ("--ctx-size-draft", "8000", "9101"),
        ("--clear-idle", "8740", "8807"),
        ("--mtp-head", None, None),
    ],
)
def test_when_a_flag_came_and_went(spelling: str, first: str | None, last: str | None) -> None:
    assert history("llamacpp", spelling) == (first, last)


@pytest.mark.parametrize(
    ("subject", "name", "first"),
    [
        ("spec-type", "draft-mtp", "9246"),
        ("spec-type", "ngram-cache", "8000"),
        ("kv-cache-type", "q8_0", "8000"),
        ("architecture", "gemma4-assistant", "9563"),
    ],
)
def test_when_a_name_came(subject: str, name: str, first: str) -> None:
    assert name_history("llamacpp", subject, name)[0] == first


def test_variables_of_the_libraries_below_are_known() -> None:
    assert env_history("llamacpp", "GGML_CUDA_GRAPH_OPT") == ("8000", "11434")
    assert "LLAMA_ARG_NO_MMAP" in engine_table("llamacpp", "8740").env


def test_a_renamed_variable_has_a_successor() -> None:
    env = engine_table("llamacpp", "11434").successors["env"]
    assert env["LLAMA_ARG_CACHE_TYPE_K_DRAFT"] == "LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K"
