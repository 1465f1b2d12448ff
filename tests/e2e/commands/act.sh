#!/bin/sh
# A line in began and one in ended, in $ACT_FOLDER. In between it waits while there is a file with the command's name.
name="$SLIPWAY_ACTION${SLIPWAY_STEP:+ $SLIPWAY_STEP} $SLIPWAY_VERSION"
echo "$name" >> "$ACT_FOLDER/began"
echo "doing $name"
while test -e "$ACT_FOLDER/$name"; do sleep 0.05; done
echo "$name" >> "$ACT_FOLDER/ended"
