-- Start nothing new; what serves keeps serving.
obj.spec.suspend = true
return obj
