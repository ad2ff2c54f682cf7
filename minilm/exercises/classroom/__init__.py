"""What a teacher needs: notebooks to hand out, grading of what comes back, pages of results, and files for other systems.

- `release`: what students get, and apart from it solutions and rubrics
- `submissions`: answers out of folders, notebooks and the archives of Canvas, Moodle and Gradescope
- `marking`: all submissions graded, in processes beside each other, resumable; `journal`: what is known already
- `regrade`: after a test was mended, who changed, by how much, why; `fingerprints`: what of a task changed
- `report`: a page for the class and one for each student
- `exports`: files for Canvas, Moodle and Gradescope; `teach`: assignments for nbgrader, and back
"""

from __future__ import annotations
