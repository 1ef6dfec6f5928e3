"""The starter images' kernel command lines, without building an image."""
import re

import pytest

from source_tree import ROOT

RECIPES = sorted(path.parent.name for path in (ROOT / "images").glob("*/build"))


def kernel_arguments(recipe):
    """What the recipe hands to the kernel, by image.json or by its boot loader's configuration."""
    text = (ROOT / "images" / recipe / "build").read_text()
    found = re.findall(r'"kernel_command_line": "([^"]+)"', text) + re.findall(r"^linux \S+ (.*)$", text, re.MULTILINE)
    assert len(found) == 1, f"images/{recipe}/build hands the kernel {len(found)} command lines"
    return found[0].split()


def test_there_are_recipes():
    assert {"tiny", "debian-12"} <= set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_guests_clock_is_no_processors_counter(recipe):
    """On a busy host an emulated processor's speed is measured wrong at times, and a clock that is read from its counter then runs many times
    too fast. With tsc=unstable Linux reads KVM's clock or the HPET. no_timer_check stays: without it a kernel whose timer comes late at boot
    panics ("IO-APIC + timer doesn't work"): 2 of 8 boots on a busy host. images/clock-test measures both."""
    words = kernel_arguments(recipe)
    assert [word for word in words if word.startswith("tsc=")] == ["tsc=unstable"]
    assert "no_timer_check" in words


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_guest_writes_to_its_screen_and_its_serial_console(recipe):
    """The last console is /dev/console, which GetConsoleOutput shows; the screen is GetConsoleScreenshot's."""
    consoles = [word for word in kernel_arguments(recipe) if word.startswith("console=")]
    assert consoles == ["console=tty0", "console=ttyS0,115200"]
