using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <content>Calls: who takes, who releases, who only looks, who keeps.</content>
internal sealed partial class MethodFlow
{
    private Value Invoke(FlowState state, IInvocationOperation invocation)
    {
        IMethodSymbol method = invocation.TargetMethod;
        OwnerType? given = QuireSymbols.GivenBy(method);
        Value instance = Evaluate(state, invocation.Instance);
        Value result = Value.Unknown;
        if (given is null)
        {
            switch (instance.Kind)
            {
                case ValueKind.Owner or ValueKind.Lease:
                    result = Member(state, instance, method, invocation, _symbols.OwnerOf(method.ContainingType));
                    break;
                case ValueKind.View or ValueKind.Pointer when IsView(invocation.Type):
                    result = instance.As(ValueKind.View);
                    break;
                case ValueKind.PageBehind when _symbols.OwnerOf(method.ContainingType) is { } page && page.Of(method.Name) is Effect.Release:
                    Escape(state, instance);
                    break;
                case ValueKind.PageBehind when _symbols.OwnerOf(method.ContainingType) is null:
                    Escape(state, instance);
                    break;
            }
        }
        else if (instance.Releases && _symbols.OwnerOf(method.ContainingType)?.Of(method.Name) == Effect.Use)
        {
            Use(state, instance.Token, invocation.Syntax, method.Name);
        }
        else if (instance.Releases && _symbols.OwnerOf(method.ContainingType)?.Of(method.Name) == Effect.Release)
        {
            // One reference for another: the packet ends, and the sequence has its bytes.
            Release(state, instance, invocation.Instance, invocation);
        }

        Value argument = Arguments(state, method, invocation.Arguments, invocation);
        if (given is not null && instance.Kind == ValueKind.Null)
        {
            // A part of nothing is nothing, or it throws.
            return Value.Null;
        }

        if (given is not null)
        {
            SiteOf(invocation.Syntax, "", given, method).From = instance.Releases ? instance.Token / 2 : -1;
            return Take(state, invocation, method, given, invocation.Arguments);
        }

        if (QuireSymbols.IsAdopter(method) && argument.Releases)
        {
            return argument.As(ValueKind.Lease);
        }

        if (method.Name is "ConfigureAwait" or "AsTask" && instance.Kind == ValueKind.Owner)
        {
            return instance;
        }

        if (result.Kind == ValueKind.Unknown && argument.Kind is ValueKind.View or ValueKind.Pointer && IsView(invocation.Type))
        {
            return argument.As(ValueKind.View);
        }

        return result.Kind == ValueKind.Unknown ? Elsewhere(state, invocation) : result;
    }

    private Value Create(FlowState state, IObjectCreationOperation creation)
    {
        Value argument = creation.Constructor is null ? Value.Unknown : Arguments(state, creation.Constructor, creation.Arguments, creation);
        if (creation.Initializer is { } initializer)
        {
            foreach (IOperation child in initializer.ChildOperations)
            {
                Escape(state, Evaluate(state, child));
            }
        }

        if (creation.Constructor is { } constructor && QuireSymbols.GivenBy(constructor) is { } given)
        {
            Value made = Take(state, creation, constructor, given, creation.Arguments);
            foreach (int needed in _needed)
            {
                _sites[made.Token / 2].Needs.Add(needed);
            }

            return made;
        }

        return argument.Kind is ValueKind.View or ValueKind.Pointer && IsView(creation.Type) ? argument.As(ValueKind.View) : Value.Unknown;
    }

    /// <summary>Allocators and the like that were arguments of the call at hand: they are lent to what it makes.</summary>
    private readonly List<int> _needed = [];

    /// <summary>Evaluates arguments and does to each what the method does. Returns the first that has to do with a reference.</summary>
    private Value Arguments(FlowState state, IMethodSymbol method, ImmutableArray<IArgumentOperation> arguments, IOperation call)
    {
        List<int> needed = [];
        Value first = Value.Unknown;
        bool isSink = QuireSymbols.IsSink(method);
        foreach (IArgumentOperation argument in arguments)
        {
            IOperation given = argument.Value;
            if (argument.Parameter is { RefKind: RefKind.Out or RefKind.Ref })
            {
                Overwrite(state, given);
                if (Looks.Named(given) is null)
                {
                    foreach (IOperation child in given.ChildOperations)
                    {
                        Escape(state, Evaluate(state, child));
                    }
                }

                continue;
            }

            Value value = Evaluate(state, given);
            if (value.IsBool && Ends(argument.Parameter) == (value.Kind == ValueKind.True))
            {
                state.IsOver = true;
            }

            if (!value.HasToken)
            {
                continue;
            }

            if (first.Kind == ValueKind.Unknown)
            {
                first = value;
            }

            if (value.Kind == ValueKind.View)
            {
                continue;
            }

            if (isSink && value.Releases)
            {
                Release(state, value, given, call);
            }
            else if (QuireSymbols.IsAdopter(method) && value.Releases)
            {
                Use(state, value.Token, call.Syntax, method.Name);
            }
            else if (QuireSymbols.IsQuire(method.ContainingType) && value.Releases && _sites[value.Token / 2].Type.Kind == OwnerKind.Service)
            {
                needed.Add(value.Token);
            }
            else if (!OnlyLooks(method, argument))
            {
                Escape(state, value);
            }
        }

        _needed.Clear();
        _needed.AddRange(needed);
        return first;
    }

    /// <summary>The value of an argument with which a method does not return: what an assertion denies.</summary>
    private static bool? Ends(IParameterSymbol? parameter)
    {
        foreach (AttributeData attribute in parameter?.GetAttributes() ?? [])
        {
            if (attribute.AttributeClass?.Name == "DoesNotReturnIfAttribute" && attribute.ConstructorArguments.Length == 1)
            {
                return attribute.ConstructorArguments[0].Value as bool?;
            }
        }

        return parameter is { Ordinal: 0, ContainingSymbol: { ContainingType.Name: "Assert", Name: "True" or "IsTrue" } } ? false
            : parameter is { Ordinal: 0, ContainingSymbol: { ContainingType.Name: "Assert", Name: "False" or "IsFalse" } } ? true
            : null;
    }

    /// <summary>Methods that anybody knows to keep nothing: of texts, of comparisons, of assertions.</summary>
    private static bool OnlyLooks(IMethodSymbol method, IArgumentOperation argument) =>
        QuireSymbols.IsLooker(method)
        || method.Name is "Equals" or "ReferenceEquals" or "ToString" or "op_Equality" or "op_Inequality" or "KeepAlive"
        || method.ContainingType is { Name: "Console" or "Debug" or "Trace", ContainingNamespace.Name: "System" or "Diagnostics" }
        || (method.ContainingType is { Name: "Assert" } && method.ReturnsVoid && argument.Parameter?.Type.TypeKind != TypeKind.Delegate);

    private Value Member(FlowState state, Value instance, ISymbol member, IOperation access, OwnerType? type)
    {
        int token = instance.Token;
        ITypeSymbol? result = access.Type;
        Effect effect = type?.Of(member.Name) ?? member.Name switch
        {
            "Dispose" or "DisposeAsync" => Effect.Release,
            "Memory" => Effect.View,
            "ToString" or "Equals" or "GetHashCode" or "GetType" or "ConfigureAwait" or "AsTask" => Effect.None,
            _ => Effect.Unknown,
        };
        switch (effect)
        {
            case Effect.Release when member is IMethodSymbol { Parameters: { IsEmpty: false } parameters } && parameters[0].Name == "references":
                // Some of many references: counted nowhere here.
                Escape(state, instance);
                return Value.Unknown;
            case Effect.Release:
                Release(state, instance, access is IInvocationOperation invocation ? invocation.Instance : null, access);
                return Value.Unknown;
            case Effect.Use:
                Use(state, token, access.Syntax, member.Name);
                return IsView(result) ? new Value(ValueKind.View, token) : Value.Unknown;
            case Effect.View:
                Use(state, token, access.Syntax, member.Name);
                return new Value(result is IPointerTypeSymbol ? ValueKind.Pointer : ValueKind.View, token);
            case Effect.Alias:
                return new Value(ValueKind.Owner, token);
            case Effect.PageBehind:
                return new Value(ValueKind.PageBehind, token);
            case Effect.Lease:
                Use(state, token, access.Syntax, member.Name);
                return new Value(ValueKind.Lease, token);
            case Effect.Detach:
                if (access is IInvocationOperation { Instance: { } lease } && SlotOf(lease) is >= 0 and int slot)
                {
                    state[slot] = Value.Unknown;
                }

                return new Value(ValueKind.Owner, token);
            case Effect.Unknown:
                Escape(state, instance);
                return Value.Unknown;
            default:
                if (member.Name == "IsAlive" && state.Token(token) is { IsDoubtful: false } now)
                {
                    return now.Status switch
                    {
                        Status.Owned => Value.Of(true, token),
                        Status.Released => Value.Of(false, token),
                        _ => Value.Unknown,
                    };
                }

                return Value.Unknown;
        }
    }

    /// <summary>A part of a view is a view.</summary>
    private Value Part(FlowState state, Value sliced, IOperation argument, ITypeSymbol? type)
    {
        Escape(state, Evaluate(state, argument));
        return sliced.Kind is ValueKind.View or ValueKind.Pointer && IsView(type) ? sliced.As(ValueKind.View) : Value.Unknown;
    }

    private static bool IsView(ITypeSymbol? type) =>
        type is IPointerTypeSymbol
        || type is INamedTypeSymbol { Name: "Span" or "ReadOnlySpan" or "Memory" or "ReadOnlyMemory", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true } }
        || type is INamedTypeSymbol { Name: "ReadOnlySequence", ContainingNamespace: { Name: "Buffers", ContainingNamespace.Name: "System" } };

    /// <summary>A call that takes a reference, as its result or by its out parameter.</summary>
    private Value Take(FlowState state, IOperation call, IMethodSymbol method, OwnerType given, ImmutableArray<IArgumentOperation> arguments)
    {
        if (method.Parameters.Length > 0 && method.Parameters[0] is { Name: "references" })
        {
            // One handle for many references.
            return Value.Unknown;
        }

        IParameterSymbol? parameter = _symbols.OutOf(method, given);
        if (parameter is not null && _answers.TryGetValue(call, out bool answer) && !answer)
        {
            foreach (IArgumentOperation argument in arguments)
            {
                if (argument.Parameter?.RefKind == RefKind.Out && Target(argument.Value) is { } symbol)
                {
                    Store(state, symbol, Value.Null);
                }
            }

            return Value.Of(false, SiteOf(call.Syntax, "", given, method).Number * 2);
        }

        TokenSite site = SiteOf(call.Syntax, "", given, method);
        site.Needs.UnionWith(_needed);
        TakeAgain(state, site, Status.Owned);
        int token = site.Number * 2;
        _taken.Add(token);
        bool isKept = false;
        foreach (IArgumentOperation argument in arguments)
        {
            if (argument.Parameter?.RefKind == RefKind.Out && Target(argument.Value) is { } symbol)
            {
                if (SymbolEqualityComparer.Default.Equals(argument.Parameter.OriginalDefinition, parameter?.OriginalDefinition))
                {
                    isKept = true;
                    Store(state, symbol, new Value(ValueKind.Owner, token));
                }
                else if (IsView(argument.Parameter.Type))
                {
                    Store(state, symbol, new Value(ValueKind.View, token));
                }
            }
        }

        if (parameter is null)
        {
            return new Value(ValueKind.Owner, token);
        }

        if (!isKept)
        {
            // Into a field, an element, a discard.
            state.SetToken(token, new TokenState(Status.Escaped));
        }

        return Value.Of(true, token);
    }

    private static ISymbol? Target(IOperation value) => value is IDeclarationExpressionOperation declaration ? Looks.Named(declaration.Expression) : Looks.Named(value);
}
