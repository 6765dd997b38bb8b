"""Reader of the operating room: files in a landing folder, each in the format of its feed."""

from pathlib import Path

from etl_assets.declare.files import FileDrop

READER = FileDrop(feeds=Path(__file__).with_name("feeds.yaml"))
