"""Reads what there is in the folders of a dataset: names, captions, headers of images and videos.

The only part of the inspection that opens files. Pillow and PyAV are imported when the first image or video
is met, so nothing else of dpcompile ever loads them.
"""
