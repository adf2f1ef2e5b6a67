namespace Quire.Benchmarks.Events;

/// <summary>What a program calls to have events written; a struct, so that the loop is compiled for it alone.</summary>
internal interface IEventWriter
{
    void Write(int number);
}
