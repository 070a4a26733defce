// Package explain weighs what logs tell: how likely each cause is, given the
// symptoms that package sshlog found, with the lines that speak for and
// against it.
//
// The weighing is Bayes' rule on tables that anybody can read and dispute: how
// common a cause is ([causes]), and how often each cause shows each symptom
// ([shows]). A symptom is what a message means, whatever the program and the
// version: nothing here knows a wording. Where a line fits many causes the
// weights stay apart little, as they should.
package explain
