"""Toy nets that run while you look.

stochastic   units that draw their sign, so few that every outcome can be counted
latent       a small net of 1-bit weights on the digits, with its latent weights as they move
plane        nets in two dimensions, as the dashboard runs them in the browser
"""

from binviz.playground import latent as latent
from binviz.playground import plane as plane
from binviz.playground import stochastic as stochastic
