module sshtay

go 1.26
