"""Lines are read quickly first; those of which the model is not sure, again and carefully."""

import numpy as np

from engines.rapid.line_image import LineImage
from engines.rapid.recognizer import CAREFUL, QUICK, bucket_of, recognize_lines, width_of


class Runtime:
    """Reads "a" quickly and "b" carefully; it is sure of bright lines alone."""

    name, precision, threads = "twin", "f32", 1
    characters = ("", "a", "b")

    def __init__(self):
        self.widths = []

    def recognize(self, batches, done):
        for images, tag in batches:
            self.widths += [images.shape[2]] * len(tag)
            bright = images[:, 0, 0, 0] > 200
            careful = images.shape[2] == bucket_of(width_of(SIZE, CAREFUL))
            indices = np.full((len(images), 1), 2 if careful else 1)
            done(tag, indices, np.where(bright, 0.99, 0.9)[:, None])


SIZE = (48, 1000)


def read(*grays):
    runtime = Runtime()
    box = np.array([[0, 0], [981, 0], [981, 48], [0, 48]], np.float32)  # and its margins: 1,000
    lines = [LineImage(np.full((*SIZE, 3), gray, np.uint8), box) for gray in grays]
    assert all(width_of(line.size, 1) == SIZE[1] for line in lines)
    return recognize_lines(lines, runtime, lambda: None), runtime.widths


def test_only_doubtful_lines_are_read_again_and_their_second_reading_counts():
    texts, widths = read(255, 0, 255)
    assert [text for text, _ in texts] == ["a", "b", "a"]
    assert [round(confidence, 2) for _, confidence in texts] == [0.99, 0.9, 0.99]
    quick, careful = (bucket_of(width_of(SIZE, squeeze)) for squeeze in (QUICK, CAREFUL))
    assert quick < careful
    assert widths == [quick] * 3 + [careful]


def test_sure_lines_and_no_lines_cost_one_reading():
    assert len(read(255, 255)[1]) == 2
    assert read() == ([], [])
