import argparse

from kind.cli.options import add_old_name


def parser():
    made = argparse.ArgumentParser()
    made.add_argument("--optimizer", choices=("adam", "radam"), default="adam")
    made.add_argument("--loss", action="append", default=[])
    made.add_argument("--quick", action="store_true")
    for old, new in (("--optimiser", "--optimizer"), ("--term", "--loss"), ("--fast", "--quick")):
        add_old_name(made, old, new)
    return made


def test_an_old_name_sets_what_the_new_one_does_and_says_so(capsys):
    values = parser().parse_args(["--optimiser", "radam", "--term", "a", "--loss", "b", "--fast"])
    assert (values.optimizer, values.loss, values.quick) == ("radam", ["a", "b"], True)
    assert "--optimiser is deprecated; use --optimizer" in capsys.readouterr().err


def test_without_it_the_default_stays_and_help_hides_it(capsys):
    assert parser().parse_args([]).optimizer == "adam"
    assert "--optimiser" not in parser().format_help()
