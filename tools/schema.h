/*
 * schema: the JSON Schema of the model language, for editors.
 */
#ifndef AUTOGRAD_SCHEMA_H
#define AUTOGRAD_SCHEMA_H

/* The schema, with the blocks of a model file unless it is NULL. From malloc; NULL: no memory. */
char *schema_text(const char *file);

#endif
