-- An order that was called off takes no more goods, however late somebody still asks for them in its name.
ALTER TABLE inventory.hold ADD COLUMN closed boolean NOT NULL DEFAULT false;
