"""Training: one visible loop, distillation, GLUE and image tasks in stages."""
