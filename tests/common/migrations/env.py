from assent_common.migrations import run
from sqlalchemy import MetaData

run(MetaData())
