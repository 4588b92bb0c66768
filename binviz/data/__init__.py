"""Data: sets by hub id (`glue`, `sources`), bundled samples, and checks of what a person hands in.

digits     1797 handwritten digits of 8 by 8 pixels          photos     two photographs
generated  a language in which a bag of words must fail      sentences  sixty of our own
pictures   data sets and folders of pictures                 corruptions  of pictures, speech, points, texts
scenes     streets with a class for every pixel
validate   texts, arrays and pictures from outside
"""
