// Stands in for packages that a dependency can use and none of the programs does; see build.ts.
export {}
