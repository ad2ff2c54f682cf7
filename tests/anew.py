"""Writing a file that tests write again and again."""


def anew(path):
    """The path, once no file is there.

    A file that is emptied and written in place goes to the disk when it is closed (ext4's ``auto_da_alloc``), which takes
    1 to 5 ms; writing a new one takes a twentieth of that.
    """
    path.unlink(missing_ok=True)
    return path
