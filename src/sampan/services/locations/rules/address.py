"""A pasted address read into parts: who, which number, which street, which ward.

People paste what a customer wrote in a chat: one line or five, in the old three levels or the new two, with or
without accents, abbreviated, with name and phone before or after. Reading it takes three steps: the places in the
text are found (`reading`), the one ward that fits best with the district and province around it is chosen, and what
is left is told apart into name and street (`leftover`). Time grows with the length of the text, which is cut.
"""

from typing import Final

from msgspec import Struct

from sampan.kernel.text import nfc
from sampan.services.locations.contract import Match, Parsed
from sampan.services.locations.reference.units import LegacyProvince, LegacyWard
from sampan.services.locations.contract import Ward
from sampan.services.locations.rules.conversion import matches, weights_of
from sampan.services.locations.rules.gazetteer import Gazetteer
from sampan.services.locations.rules.leftover import name_and_street, take_phone
from sampan.services.locations.rules.mentions import Mention, mentions_in, words_in
from sampan.services.locations.rules.spelling import DISTRICT_TYPES, PROVINCE_TYPES, WARD_TYPES

LONGEST: Final = 1000  # characters; a pasted message is a tenth of that
